/** Who this browser is to the coordinator; one for the whole page. */

import { api, keepCsrf, loadSession, read } from "../protocol/http";
import type { Session } from "../protocol/records";

class Account {
  session = $state<Session | null>(null);
  /** True once it is known whether this browser may submit, and it may not. */
  readonly mustSignIn = $derived(this.session !== null && !this.session.may_submit);

  async load(): Promise<void> {
    this.session = await loadSession();
  }

  async signIn(token: string): Promise<void> {
    this.keep(await read(api.POST("/api/v1/session", { body: { token } })));
  }

  async signOut(): Promise<void> {
    await read(api.DELETE("/api/v1/session"));
    await this.load();
  }

  private keep(session: Session): void {
    keepCsrf(session);
    this.session = session;
  }
}

export const account = new Account();
