/** The wire's types under short names, and guards for what arrives. Shapes come from schema.gen.ts. */

import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type Backend = Schemas["BackendReport"]["backend"];
export type BackendReport = Schemas["BackendReport"];
export type DonorRecord = Schemas["DonorRecord"];
export type ErrorDetail = Schemas["ErrorDetail"];
export type Lease = Schemas["Lease"];
export type LossName = Schemas["Unit"]["loss"];
export type Optimizer = Schemas["Unit"]["optimizer"];
export type Progress = Schemas["Progress"];
export type Unit = Schemas["Unit"];

export type Hello = Schemas["Hello"];
export type Request = Schemas["Request"];
export type Heartbeat = Schemas["Heartbeat"];
export type Checkpoint = Schemas["Checkpoint"];
export type Complete = Schemas["Complete"];
export type Completed = Schemas["Completed"];
export type Abort = Schemas["Abort"];
export type Handback = Schemas["Handback"];
export type DonorMessage = Hello | Request | Heartbeat | Checkpoint | Complete | Abort;

export type Welcome = Schemas["Welcome"];
export type Grant = Schemas["Grant"];
export type Wait = Schemas["Wait"];
export type Work = Schemas["Work"];
export type Heard = Schemas["Heard"];
export type Challenge = Schemas["Challenge"];
export type Settled = Schemas["Settled"];
export type Problem = Schemas["Problem"];
export type CoordinatorMessage = Welcome | Grant | Wait | Work | Heard | Settled | Problem;

/** The protocol's version; raised only for a change that an older tab cannot live with. */
export const PROTOCOL_VERSION = 1;

/** Write a message. A driver's words may hold what the wire does not take: halves of pairs, and NUL. */
export function written(message: DonorMessage): string {
  return JSON.stringify(message, (_, value: unknown) =>
    typeof value === "string" ? value.replace(/\p{Surrogate}/gu, "\ufffd").replaceAll("\0", " ") : value,
  );
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isLease(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value["id"] === "string" &&
    typeof value["token"] === "string" &&
    isObject(value["unit"]) &&
    typeof value["unit"]["id"] === "string" &&
    typeof value["unit"]["start"] === "string" &&
    typeof value["unit"]["topology"] === "string" &&
    typeof value["unit"]["tensors"] === "string" &&
    Array.isArray(value["unit"]["commit_steps"])
  );
}

/** What each message must carry before anything acts on it. Unknown further fields are ignored. */
const REQUIRED: Readonly<Record<CoordinatorMessage["type"], (message: Json) => boolean>> = {
  welcome: (m) =>
    typeof m["heartbeat_every_s"] === "number" &&
    isObject(m["record"]) &&
    Array.isArray(m["resumed"]) &&
    m["resumed"].every(isLease),
  grant: (m) => Array.isArray(m["leases"]) && m["leases"].every(isLease),
  wait: (m) => typeof m["seconds"] === "number",
  work: () => true,
  heard: (m) => Array.isArray(m["held"]) && (m["stop"] === undefined || isObject(m["stop"])),
  settled: (m) => Array.isArray(m["leases"]) && isObject(m["record"]),
  problem: (m) => isObject(m["error"]) && typeof m["error"]["code"] === "string",
};

function isKnownType(type: unknown): type is CoordinatorMessage["type"] {
  return typeof type === "string" && Object.hasOwn(REQUIRED, type);
}

function isCoordinatorMessage(value: unknown): value is CoordinatorMessage {
  return isObject(value) && isKnownType(value["type"]) && REQUIRED[value["type"]](value);
}

/** Read one message from the coordinator, or null where it is not one that this bundle knows. */
export function parseMessage(text: string): CoordinatorMessage | null {
  try {
    const value: unknown = JSON.parse(text);
    return isCoordinatorMessage(value) ? value : null;
  } catch {
    return null;
  }
}
