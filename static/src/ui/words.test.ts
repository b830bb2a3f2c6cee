import { beforeEach, describe, expect, it } from "vitest";
import { language, t } from "../i18n";
import { limitWords, ownQuality, personName, roleBeside } from "./words";

const line = { level: "good", rttMs: 40, lossPermille: 1 } as const;
const network = { downKbps: 180, rttMs: 40, lossPermille: 2, limit: "bandwidth", held: 1 } as const;

describe("names of people", () => {
  beforeEach(() => {
    language.value = "en";
  });

  it.each(["", "  "])("calls %j by the role, once", (name) => {
    expect(personName({ name, role: "expert" })).toBe("Expert");
    expect(roleBeside({ name, role: "expert" })).toBeNull();
  });

  it("puts the role beside a name", () => {
    expect([personName({ name: "Ana", role: "agent" }), roleBeside({ name: "Ana", role: "agent" })]).toEqual(["Ana", "Adviser"]);
  });
});

describe("why less arrives", () => {
  it("is told in words, and nothing is told when nothing is held back", () => {
    expect(limitWords(network)).toBe(t("network.limit.bandwidth"));
    expect(limitWords({ ...network, limit: "loss" })).toBe(t("network.limit.loss"));
    expect([limitWords({ ...network, limit: "none" }), limitWords(null)]).toEqual([null, null]);
  });

  it("does not call a line good that cannot carry what was asked for, and makes no weak one better", () => {
    expect(ownQuality(line, network).level).toBe("fair");
    expect(ownQuality({ ...line, level: "poor" }, network).level).toBe("poor");
    expect(ownQuality(line, { ...network, limit: "none" })).toBe(line);
  });
});
