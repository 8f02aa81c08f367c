/** Potluck's engine on TF.js's kernels and ours, also where a tab goes by loops over one memory. */

import { openByKernels } from "../src/engine/stacked/party";
import { serveAlone } from "./alone";

serveAlone(openByKernels);
