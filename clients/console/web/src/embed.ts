import { mount } from "svelte";
import "./app/tokens.css";
import "./app/base.css";
import Embed from "./alert/Embed.svelte";

const target = document.getElementById("app");
if (target) mount(Embed, { target });
