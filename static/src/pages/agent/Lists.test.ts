import { describe, expect, it } from "vitest";
import type { SessionView } from "../../protocol.gen";
import { matches } from "./Lists";

const session = { id: "SE_4f9c27a1", customer_name: "王建国 Wang", reason: "Lost card", customer_reference: "C-77" } as SessionView;

describe("the search in the sessions", () => {
  it.each(["", "  ", "wang", "王建", "LOST", "card wang", "c-77"])("finds %j", (sought) => expect(matches(session, sought)).toBe(true));
  it.each(["li", "card li", "77-c"])("does not find %j", (sought) => expect(matches(session, sought)).toBe(false));
});
