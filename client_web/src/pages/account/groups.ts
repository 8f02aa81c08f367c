/** Groups of donors over the API, and their links. */

import { api, read } from "../../protocol/http";
import type { Group, Member } from "../../protocol/records";

const path = (group_id: string) => ({ params: { path: { group_id } } });

export const listGroups = (): Promise<Group[]> => read(api.GET("/api/v1/groups"));

export const makeGroup = (name: string): Promise<Group> => read(api.POST("/api/v1/groups", { body: { name } }));

export const renameGroup = (id: string, name: string): Promise<Group> =>
  read(api.PATCH("/api/v1/groups/{group_id}", { ...path(id), body: { name } }));

export const newCode = (id: string): Promise<Group> => read(api.POST("/api/v1/groups/{group_id}/code", path(id)));

export async function deleteGroup(id: string): Promise<void> {
  await read(api.DELETE("/api/v1/groups/{group_id}", path(id)));
}

export const listMembers = (id: string): Promise<Member[]> => read(api.GET("/api/v1/groups/{group_id}/members", path(id)));

export async function removeMember(group_id: string, member_id: string): Promise<void> {
  await read(api.DELETE("/api/v1/groups/{group_id}/members/{member_id}", { params: { path: { group_id, member_id } } }));
}

/** What to send to those who are to join. */
export function linkOf(origin: string, code: string): string {
  return `${origin}/join/${encodeURIComponent(code)}`;
}
