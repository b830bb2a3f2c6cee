import { describe, expect, it } from "vitest";
import { changes } from "./Summary";

const before = { customer_reference: "C-7", reason: "card", context: "lost" };

describe("a changed summary", () => {
  it("sends only what was changed here", () => {
    expect(changes(before, { ...before })).toEqual({});
    expect(changes(before, { ...before, context: " found again " })).toEqual({ context: "found again" });
    expect(changes(before, { customer_reference: "", reason: "card  ", context: "lost" })).toEqual({ customer_reference: "" });
  });
});
