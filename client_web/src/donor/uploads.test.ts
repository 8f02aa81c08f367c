import { expect, test } from "vitest";
import { UploadBudget } from "./uploads";

test("the first upload goes at once, and uploading takes 5% of the time after that", () => {
  const budget = new UploadBudget();
  expect(budget.allows(0)).toBe(true);
  let uploading = 0;
  let now = 0;
  while (now < 1_000_000) {
    if (budget.allows(now)) {
      const took = 200 + (now % 700);
      budget.spent(now, now + took);
      uploading += took;
      now += took;
    }
    now += 10;
  }
  expect(uploading / now).toBeGreaterThan(0.045);
  expect(uploading / now).toBeLessThan(0.052);
});
