// Builds the gradients page: vite build --config tests/gradients/page/vite.config.mjs --outDir FOLDER
import { fileURLToPath } from "node:url";
import parity from "../../parity/page/vite.config.mjs";

export default { ...parity, root: fileURLToPath(new URL(".", import.meta.url)) };
