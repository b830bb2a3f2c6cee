import { describe, expect, it } from "vitest";
import type { FileView } from "../protocol.gen";
import { ApiError } from "./problems";
import { MAX_UPLOADS, Uploads } from "./uploads";

const view = (name: string): FileView => ({ id: `FI_${name}`, name, media_type: "text/plain", size_bytes: 1 });

/** Uploads whose answers the test gives: `answers` are taken one after the other. */
function uploads(...answers: (ApiError | Error | "ok" | "never")[]) {
  const keys: string[] = [];
  const stored: string[] = [];
  const made = new Uploads({
    send: async (file, key, progress) => {
      keys.push(key);
      progress(0.5);
      const answer = answers.shift() ?? "ok";
      if (answer === "never") return new Promise(() => undefined);
      if (answer !== "ok") throw answer;
      return view(file.name);
    },
    stored: (file) => stored.push(file.name),
  });
  return { made, keys, stored };
}

const file = (name = "a.txt") => new File(["x"], name);

describe("uploads", () => {
  it("puts a file away that arrived, and says so once", async () => {
    const { made, stored } = uploads("ok");
    await made.add(file());
    expect(made.list.value).toEqual([]);
    expect(stored).toEqual(["a.txt"]);
  });

  it("tries a failed one again in its place under the same key", async () => {
    const { made, keys, stored } = uploads(new ApiError("offline", ""), "never", "ok");
    await made.add(file("first"));
    void made.add(file("second"));
    expect(made.list.value).toMatchObject([{ name: "first", error: "offline" }, { name: "second", error: null, progress: 0.5 }]);
    const key = made.list.value[0]?.key ?? "";
    await made.retry(key);
    expect(made.list.value).toMatchObject([{ name: "second" }]);
    expect(stored).toEqual(["first"]);
    expect([keys[0], keys[2]]).toEqual([key, key]);
  });

  it("says of an error that is not the server's that it failed", async () => {
    const { made } = uploads(new TypeError("a bug"));
    await made.add(file());
    expect(made.list.value).toMatchObject([{ error: "failed" }]);
  });

  it("puts away what failed, never what is on its way", async () => {
    const { made } = uploads(new ApiError("too_large", ""), "never");
    await made.add(file("bad"));
    void made.add(file("good"));
    for (const { key } of made.list.value) made.dismiss(key);
    expect(made.list.value).toMatchObject([{ name: "good" }]);
  });

  it("does not send twice what is on its way, nor what was put away", async () => {
    const { made, keys } = uploads("never", new ApiError("failed", ""));
    void made.add(file());
    await made.retry(made.list.value[0]?.key ?? "");
    await made.add(file("other"));
    const gone = made.list.value[1]?.key ?? "";
    made.dismiss(gone);
    await made.retry(gone);
    expect(keys).toHaveLength(2);
  });

  it("takes no more than it can hold", () => {
    const { made } = uploads(...Array.from({ length: MAX_UPLOADS }, () => "never" as const));
    for (let n = 0; n < MAX_UPLOADS; n += 1) expect(made.add(file())).not.toBe(false);
    expect(made.add(file())).toBe(false);
    expect(made.list.value).toHaveLength(MAX_UPLOADS);
  });
});
