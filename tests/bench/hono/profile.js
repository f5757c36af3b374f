// `me` has its place in the Worker of sessions here.
export { default } from "./auth.js";
