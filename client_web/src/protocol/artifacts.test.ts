/** Against a real HTTP server, as the coordinator is one. */

import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ArtifactDamaged, ArtifactRefused, type Artifacts, openArtifacts } from "./artifacts";
import { sha256 } from "./sha256";

const BYTES = new TextEncoder().encode("a checkpoint ".repeat(50)).buffer;

let server: Server;
let artifacts: Artifacts;
let asked: { url: string; headers: IncomingHttpHeaders; body: Buffer }[];
let answer: { status: number; body: Buffer };

beforeEach(async () => {
  asked = [];
  answer = { status: 200, body: Buffer.from(BYTES) };
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      asked.push({ url: request.url ?? "", headers: request.headers, body: Buffer.concat(parts) });
      response.writeHead(answer.status).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  artifacts = openArtifacts(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test("an artifact is fetched by its hash with the lease's token", async () => {
  const hash = await sha256(BYTES);
  expect(new Uint8Array(await artifacts.fetch(hash, "secret"))).toEqual(new Uint8Array(BYTES));
  expect(asked[0]?.url).toBe(`/api/v1/donor/artifacts/${hash}`);
  expect(asked[0]?.headers["x-potluck-lease"]).toBe("secret");
});

test("bytes that are not what their name says are not used", async () => {
  await expect(artifacts.fetch("0".repeat(64), "secret")).rejects.toThrow(ArtifactDamaged);
});

test("a refusal carries its status, down and up", async () => {
  answer = { status: 404, body: Buffer.from("{}") };
  const refused = artifacts.fetch("0".repeat(64), "secret");
  await expect(refused).rejects.toThrow(ArtifactRefused);
  await expect(refused).rejects.toMatchObject({ status: 404 });
  answer = { status: 413, body: Buffer.from("{}") };
  await expect(artifacts.upload(BYTES, "0".repeat(64), "t")).rejects.toMatchObject({ status: 413 });
});

test("uploads are compressed and unpack to the same bytes", async () => {
  await artifacts.upload(BYTES, await sha256(BYTES), "secret");
  const [upload] = asked;
  expect(upload?.headers["content-encoding"]).toBe("gzip");
  expect(upload?.body.length).toBeLessThan(BYTES.byteLength);
  expect(gunzipSync(upload?.body ?? Buffer.alloc(0))).toEqual(Buffer.from(BYTES));
});
