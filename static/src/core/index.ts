/** What pages import: `api` to get in, `devices` for the pre-join check (a call that starts later uses the same ones). */
export { api } from "./api";
export { devices } from "./devices";
export type * from "./model";
