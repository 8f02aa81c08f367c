/** Starts the site. */

import { mount } from "svelte";
import App from "./App.svelte";
import { startRouter } from "./router.svelte";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import { appearance } from "./theme.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no #app to mount on");
appearance.start();
startRouter();
mount(App, { target });
