/** One study as it is now: fetched once, then kept by the coordinator's events. */

import { listen, type Connection } from "../../protocol/events";
import { api, asApiError, read, type ApiError } from "../../protocol/http";
import type { Curve, LeaderboardRow, Study } from "../../protocol/records";

export class LiveStudy {
  study = $state.raw<Study | null>(null);
  rows = $state.raw<readonly LeaderboardRow[]>([]);
  curves = $state.raw<readonly Curve[]>([]);
  connection = $state<Connection>("connecting");
  gone = $state(false);
  error = $state.raw<ApiError | null>(null);

  readonly #id: string;
  #leave: (() => void) | null = null;

  constructor(id: string) {
    this.#id = id;
  }

  /** Fetch and follow; returns the way to leave. */
  start(): () => void {
    let left = false;
    const params = { path: { study_id: this.#id } };
    Promise.all([
      read(api.GET("/api/v1/studies/{study_id}", { params })),
      read(api.GET("/api/v1/studies/{study_id}/leaderboard", { params })),
      read(api.GET("/api/v1/studies/{study_id}/curves", { params })),
    ]).then(
      ([study, rows, curves]) => {
        if (left) return;
        this.study = study;
        this.rows = rows;
        this.curves = curves;
        this.#follow();
      },
      (thrown: unknown) => (this.error = asApiError(thrown)),
    );
    return () => {
      left = true;
      this.#leave?.();
    };
  }

  #follow(): void {
    this.#leave = listen(
      `/api/v1/studies/${encodeURIComponent(this.#id)}/events`,
      {
        study: (data) => (this.study = data as Study),
        leaderboard: (data) => (this.rows = data as LeaderboardRow[]),
        curves: (data) => (this.curves = data as Curve[]),
        gone: () => {
          this.gone = true;
          this.#leave?.();
        },
      },
      (connection) => (this.connection = connection),
    );
  }
}
