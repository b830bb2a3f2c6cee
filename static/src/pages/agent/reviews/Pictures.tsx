/** The pictures of an attempt: a strip with scores under each, one of them large beside the reference at the same scale. */
import { ImageOff, TriangleAlert, ZoomIn } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Album } from "../../../core/reviews";
import type { Reviews, Shown } from "../../../core/reviews";
import { t } from "../../../i18n";
import type { ReviewPicture, ReviewedAttempt } from "../../../protocol.gen";
import { Button } from "../../../ui/Button";
import { Notice } from "../../../ui/controls";
import { figure, pictureProblem, second, shotColour, shotWords } from "./words";

/** Pictures while they are looked at: let go of when the component is. */
function useAlbum(key: string, names: readonly string[], load: (name: string, stop: AbortSignal) => Promise<Blob>): Album | null {
  const album = useSignal<Album | null>(null);
  useEffect(() => {
    const one = new Album(names, load);
    album.value = one;
    return () => {
      album.value = null;
      one.close();
    };
  }, [key]);
  return album.value;
}

/** The one to begin with: most like the reference, as that is what is compared. */
export function firstOf(pictures: readonly ReviewPicture[]): number {
  const faces = pictures.map((one, index) => ({ one, index })).filter(({ one }) => one.kind !== "document" && one.match !== null);
  const best = faces.toSorted((a, b) => (b.one.match ?? 0) - (a.one.match ?? 0))[0];
  return best?.index ?? 0;
}

function Picture(props: { shown: Shown | undefined; label: string; none?: string | undefined; onAgain?: (() => void) | undefined }) {
  const { shown } = props;
  if (props.none !== undefined) {
    return (
      <div class="shot-none">
        <ImageOff size={28} strokeWidth={1.5} aria-hidden />
        <p>{props.none}</p>
      </div>
    );
  }
  if (shown === undefined) return <div class="skeleton shot-loading" role="status" aria-label={t("loading")} />;
  if ("url" in shown) return <img src={shown.url} alt={props.label} draggable={false} />;
  return (
    <div class="shot-none" role="alert">
      <ImageOff size={28} strokeWidth={1.5} aria-hidden />
      <p>{pictureProblem(shown.problem)}</p>
      {props.onAgain && <Button onClick={props.onAgain}>{t("retry")}</Button>}
    </div>
  );
}

function Score(props: { name: "match" | "pad" | "quality"; score: number | null; least: number | null }) {
  const below = props.score !== null && props.least !== null && props.score < props.least;
  return (
    <span class={`shot-score${below ? " below" : ""}`}>
      <span>{t(`reviews.score.${props.name}`)}</span>
      <span>
        {below && <TriangleAlert size={14} strokeWidth={2} aria-hidden />}
        {props.score === null ? <span aria-hidden>–</span> : figure(props.score)}
        {props.score === null && <span class="hidden-text">{t("reviews.score.none")}</span>}
        {below && <span class="hidden-text"> ({t("reviews.score.below")})</span>}
      </span>
    </span>
  );
}

function Strip(props: { attempt: ReviewedAttempt; shown: ReadonlyMap<string, Shown>; chosen: number; onChoose: (index: number) => void }) {
  const box = useRef<HTMLUListElement>(null);
  const { pictures } = props.attempt;
  useEffect(() => {
    const strip = box.current;
    const button = strip?.querySelectorAll("button")[props.chosen];
    if (strip && button) strip.scrollLeft = Math.max(0, button.offsetLeft + button.offsetWidth + 16 - strip.offsetLeft - strip.clientWidth); // the page itself stays
  }, []);
  const go = (index: number) => {
    props.onChoose(index);
    const button = box.current?.querySelectorAll("button")[index];
    button?.focus();
    button?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const press = (event: KeyboardEvent) => {
    const on = document.documentElement.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
    const back = on === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
    const to = { [on]: props.chosen + 1, [back]: props.chosen - 1, Home: 0, End: pictures.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(Math.min(pictures.length - 1, Math.max(0, to)));
  };
  return (
    <ul ref={box} class="shots" aria-label={t("reviews.pictures.strip")} onKeyDown={press}>
      {pictures.map((one, index) => {
        const shown = props.shown.get(one.name);
        const colour = shotColour(one.asked);
        const what = shotWords(one);
        return (
          <li key={one.name}>
            <button type="button" class="shot" aria-pressed={index === props.chosen} tabIndex={index === props.chosen ? 0 : -1} onClick={() => go(index)}>
              <span class="shot-picture" aria-hidden>
                {shown && "url" in shown ? <img src={shown.url} alt="" draggable={false} /> : shown ? <ImageOff size={20} strokeWidth={1.5} /> : <span class="skeleton" />}
              </span>
              <span class="hidden-text">{t("reviews.picture.of", { n: index + 1, all: pictures.length, what })}</span>
              <span class="shot-what" aria-hidden>
                {colour !== null && <Swatch colour={colour} />}
                <span class="one-line">{what}</span>
              </span>
              <span class="small soft">{second(one.at_ms)}</span>
              <span class="shot-scores small">
                <Score name="match" score={one.match} least={props.attempt.match_threshold} />
                <Score name="pad" score={one.pad} least={null} />
                <Score name="quality" score={one.quality} least={null} />
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** The colour that the screen had just then. */
function Swatch({ colour }: { colour: string }) {
  return (
    <svg class="swatch" width="12" height="12" viewBox="0 0 12 12" aria-hidden>
      <circle cx="6" cy="6" r="5.5" fill={colour} />
    </svg>
  );
}

/** Its name among the pictures of an attempt: the one that the template was made from. */
const ENROLMENT = "reference-1";

/** Why there is no reference to hold them against; undefined where there is. */
export function withoutReference({ reference, pictures }: ReviewedAttempt): string | undefined {
  if (reference === "portrait" || reference === "enrolment") return undefined;
  return t(reference === "none" && pictures.length === 0 ? "reviews.picture.live.none" : `reviews.picture.reference.${reference}`);
}

export interface PicturesProps {
  reviews: Reviews;
  id: string;
  attempt: ReviewedAttempt;
  may: boolean;
  under: string; // how they came, and when
}

export function Pictures({ reviews, id, attempt, may, under }: PicturesProps) {
  const { pictures, reference } = attempt;
  const without = withoutReference(attempt);
  const chosen = useSignal(firstOf(pictures));
  const large = useSignal(false);
  const theirs = may ? pictures.map(({ name }) => name) : [];
  const album = useAlbum(`${id} ${attempt.attempt.id} ${theirs.join()}`, theirs, (name, stop) => reviews.picture(id, attempt.attempt.id, name, stop));
  const kept = useAlbum(`${id} ${attempt.attempt.id} ${reference} ${may}`, may && without === undefined ? ["reference"] : [], (_, stop) =>
    reference === "enrolment" ? reviews.picture(id, attempt.attempt.id, ENROLMENT, stop) : reviews.reference(id, stop),
  );
  const one = pictures[chosen.value];
  const what = one ? shotWords(one) : "";
  return (
    <section class="stack tight" aria-labelledby="review-pictures">
      <div class="row">
        <h2 id="review-pictures" class="sub">
          {t("reviews.pictures")}
        </h2>
        <span class="small soft grow">{under}</span>
        {may && one && (
          <Button look="plain" icon={ZoomIn} pressed={large.value} onClick={() => (large.value = !large.value)}>
            {t(large.value ? "reviews.zoom.off" : "reviews.zoom")}
          </Button>
        )}
      </div>
      {attempt.evidence_lost && <Notice kind="quiet">{t("reviews.pictures.lost")}</Notice>}
      {!may ? (
        <p class="soft">{t("reviews.pictures.theirs")}</p>
      ) : (
        <>
          <div class={`beside${large.value ? " is-large" : ""}`}>
            <figure>
              <div class="beside-frame">
                <Picture
                  shown={kept?.shown.value.get("reference")}
                  label={t("reviews.picture.large.reference")}
                  none={without}
                  onAgain={() => kept?.again("reference")}
                />
              </div>
              <figcaption>{t("reviews.picture.reference")}</figcaption>
            </figure>
            <figure>
              <div class="beside-frame">
                <Picture
                  shown={one && album?.shown.value.get(one.name)}
                  label={t("reviews.picture.large", { what })}
                  none={one ? undefined : t("reviews.picture.live.none")}
                  onAgain={() => one && album?.again(one.name)}
                />
              </div>
              <figcaption>
                {t("reviews.picture.live")}
                {one && <span class="soft"> · {what} · {second(one.at_ms)}</span>}
              </figcaption>
            </figure>
          </div>
          {pictures.length > 0 ? (
            <Strip attempt={attempt} shown={album?.shown.value ?? new Map()} chosen={chosen.value} onChoose={(index) => (chosen.value = index)} />
          ) : (
            !attempt.evidence_lost && <p class="soft">{t("reviews.pictures.none")}</p>
          )}
        </>
      )}
    </section>
  );
}
