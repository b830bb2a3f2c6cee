import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Call } from "../../core/model";
import type { Role } from "../../protocol.gen";
import { fakeCall } from "../../stories/fakes";
import type { CallUi, Panel } from "./ui";
import { togglePanel, useCallUi } from "./ui";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null }));

const root = document.createElement("div");
let call: Call;
let ui: CallUi;

function Page({ of, variant, panel }: { of: Call; variant: Role; panel: Panel }) {
  ui = useCallUi(of, variant, false, panel, { kind: "none" }, "speaker");
  return <>{ui.panel.value}</>;
}

function shown(variant: Role, panel: Panel): string {
  act(() => render(<Page of={call} variant={variant} panel={panel} />, root));
  return root.textContent ?? "";
}

beforeEach(() => {
  call = fakeCall({});
});
afterEach(() => act(() => render(null, root)));

it("keeps open what was opened before the page knew who one is", () => {
  expect(shown("customer", "none")).toBe("none");
  act(() => togglePanel(ui, "people"));
  expect(shown("expert", "context")).toBe("people");
  expect(ui.variant).toBe("expert");
});

it("opens the first panel of who one turned out to be, and once only", () => {
  shown("customer", "none");
  expect(shown("expert", "context")).toBe("context");
  act(() => togglePanel(ui, "context"));
  expect(shown("expert", "context")).toBe("none");
});

it("begins anew with another call", () => {
  shown("agent", "none");
  act(() => togglePanel(ui, "chat"));
  call = fakeCall({});
  expect(shown("agent", "none")).toBe("none");
});
