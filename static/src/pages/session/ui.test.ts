import { describe, expect, it } from "vitest";
import type { ParticipantView } from "../../protocol.gen";
import { screenOf } from "./ui";

const somebody = (open: boolean, on: boolean, state: ParticipantView["state"] = "active"): ParticipantView => ({
  id: "PA_1",
  role: "agent",
  name: "",
  state,
  tracks: [{ source: "screen", open, on }],
  on_hold: false,
  muted: false,
  listens: false, waits: false,
});

describe("a screen of somebody else", () => {
  const followed = (...views: ParticipantView[]): string[] => {
    const ui = { screens: new Map<string, boolean>() };
    return views.map((view) => screenOf(ui, view));
  };

  it("was paused before this page came", () => expect(followed(somebody(true, false), somebody(true, true))).toEqual(["paused", "shown"]));
  it("is shown, paused, shown and stopped", () =>
    expect(followed(somebody(true, true), somebody(true, false), somebody(true, true), somebody(false, false))).toEqual(["shown", "paused", "shown", "none"]));
  it("is not paused while they are still choosing a window", () =>
    expect(followed(somebody(false, false), somebody(true, false), somebody(true, true))).toEqual(["none", "none", "shown"]));
  it("goes with a page that was loaded again", () =>
    expect(followed(somebody(true, true), somebody(true, true, "disconnected"), somebody(true, false))).toEqual(["shown", "none", "none"]));
});
