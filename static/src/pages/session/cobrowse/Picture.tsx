/** The customer's page as this viewer sees it now, and what they do on it. */
import { useMemo } from "preact/hooks";
import { t } from "../../../i18n";
import type { FromFrame, Hand } from "../../../replay/messages";
import { ReplayFrame } from "../../../ui/ReplayFrame";
import { useCall } from "../ui";
import type { CallUi } from "../ui";
import { may } from "./state";

const COLOURS = 6;

/** Who points and draws, each in a colour that stays while they are here; one's own is the first. */
function hands(ui: CallUi): Hand[] {
  const state = ui.call.cobrowse.state.value;
  const others = (state?.viewers ?? []).filter(({ id }) => id !== state?.viewer);
  return [{ viewer: "", name: "", colour: 0 }, ...others.map(({ id, name }, index) => ({ viewer: id, name, colour: 1 + (index % (COLOURS - 1)) }))];
}

function heard(ui: CallUi, said: FromFrame): void {
  const { cobrowse } = ui.call;
  const { page } = ui;
  switch (said.say) {
    case "lost":
      cobrowse.resync();
      break;
    case "scale":
      page.scale.value = said.scale;
      break;
    case "point":
      cobrowse.point(said.page, said.at);
      break;
    case "marked":
      cobrowse.mark(said.page, said.kind, said.spots);
      break;
    case "escape":
      page.tool.value = "none";
      break;
    case "picked": {
      const { picked, tool } = said;
      page.hint.value = null;
      if (tool === "fill") {
        if (picked.kind === "field") page.fills.value = { ...picked, page: said.page };
        else page.hint.value = "not_field";
      } else if (tool === "scroll" || tool === "click") cobrowse.act(said.page, picked.node, tool, picked.what);
      break;
    }
    case "wrong":
      page.wrong.value = said.fields;
      break;
    case "ready":
    case "drawn":
      break; // the frame's own
  }
}

export function Picture() {
  const ui = useCall();
  const { cobrowse } = ui.call;
  const { page } = ui;
  const tool = page.tool.value;
  const state = cobrowse.state.value;
  const viewers = state?.viewers;
  return (
    <ReplayFrame
      read={(reader) => cobrowse.read(reader)}
      heard={(said) => heard(ui, said)}
      marks={cobrowse.marks.value}
      pointers={cobrowse.pointers.value}
      hands={useMemo(() => hands(ui), [ui, viewers])}
      zoom={page.zoom.value}
      tool={tool}
      pointer={may(ui.call, "point") && tool !== "none"}
      surface={t("cobrowse.surface")}
      wrong={state?.fields}
      sought={page.sought.value}
    />
  );
}
