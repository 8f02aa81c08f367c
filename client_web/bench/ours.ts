/** Potluck's engine, as a donor's tab runs it. */

import { openUnit } from "../src/engine/stacked/party";
import { serveAlone } from "./alone";

serveAlone(openUnit);
