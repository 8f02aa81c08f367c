/** What runs now, asked again every few seconds while the page is seen. */

import { api, asApiError, read, type ApiError } from "../../protocol/http";
import type { SiteStatus, Study } from "../../protocol/records";

const EVERY_MS = 5000;

export class Now {
  status = $state.raw<SiteStatus | null>(null);
  studies = $state.raw<readonly Study[] | null>(null);
  error = $state.raw<ApiError | null>(null);

  async refresh(): Promise<void> {
    try {
      const [status, studies] = await Promise.all([
        read(api.GET("/api/v1/status")),
        read(api.GET("/api/v1/studies")),
      ]);
      this.status = status;
      this.studies = studies;
      this.error = null;
    } catch (thrown) {
      this.error = asApiError(thrown);
    }
  }

  /** Keep asking; returns the way to leave. */
  start(): () => void {
    const seen = (): void => {
      if (!document.hidden) void this.refresh();
    };
    seen();
    const timer = setInterval(seen, EVERY_MS);
    document.addEventListener("visibilitychange", seen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }
}
