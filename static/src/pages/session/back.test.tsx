import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Call, CallPhase } from "../../core/model";
import { useBack } from "./back";

/** What a browser does when Back takes our entry away: the state is the one below, then it tells. */
function goBack(): void {
  history.replaceState(null, "");
  dispatchEvent(new PopStateEvent("popstate", { state: null }));
}

describe("Back in a call", () => {
  const phase = signal<CallPhase>("live");
  const call = { phase } as unknown as Call;
  const ask = vi.fn<() => void>();
  const root = document.createElement("div");

  function Page({ on = true }: { on?: boolean }) {
    useBack(call, on, ask);
    return null;
  }
  const show = (on = true) => act(() => render(<Page on={on} />, root));

  beforeEach(() => {
    history.replaceState(null, "");
    phase.value = "live";
    ask.mockClear();
  });
  afterEach(() => act(() => render(null, root)));

  it("asks, and asks again the next time", async () => {
    await show();
    expect(history.state).toEqual({ inCall: true });
    goBack();
    goBack();
    expect(ask).toHaveBeenCalledTimes(2);
    expect(history.state).toEqual({ inCall: true });
  });

  it("does what it always does before and after", async () => {
    await show(false);
    goBack();
    expect(ask).not.toHaveBeenCalled();
    await show();
    const back = vi.spyOn(history, "back").mockImplementation(() => undefined);
    await act(() => {
      phase.value = "ended";
    });
    expect(back).toHaveBeenCalledTimes(1); // our entry goes with the call
    goBack();
    expect(ask).not.toHaveBeenCalled();
  });

  it("adds nothing after a reload: the entry is there still", async () => {
    history.replaceState({ inCall: true }, "");
    const push = vi.spyOn(history, "pushState");
    await show();
    expect(push).not.toHaveBeenCalled();
  });

  it("leaves places within a page alone", async () => {
    await show();
    location.hash = "#elsewhere";
    history.replaceState(null, "");
    dispatchEvent(new PopStateEvent("popstate", { state: null }));
    expect(ask).not.toHaveBeenCalled();
    location.hash = "";
  });
});
