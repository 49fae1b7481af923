// Above every view: what a person should look at, with its remedy. Read aloud when it appears.
import { figures } from "../live.ts";
import { resume } from "../deeds.ts";
import { type Banner, BANNERS_MAX, bannersOf } from "../model/banners.ts";
import { Action } from "../parts/action.tsx";
import { When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";

/** In full on the overview; elsewhere in short, since one has come to see something else. */
export function Banners({ isFull }: { readonly isFull: boolean }) {
  const { value } = figures;
  const banners = value === null ? [] : bannersOf(value);
  const [worst] = banners;
  const more = banners.length - BANNERS_MAX;
  if (!isFull)
    return (
      <div class="banners" role="status" aria-label="What needs attention">
        {worst !== undefined && <Short worst={worst} more={banners.length - 1} />}
      </div>
    );
  return (
    <div class="banners" role="status" aria-label="What needs attention">
      {banners.slice(0, BANNERS_MAX).map((one) => (
        <Line key={one.key} banner={one} />
      ))}
      {more > 0 && <p class="dim">And {more} more.</p>}
    </div>
  );
}

function Short({ worst, more }: { readonly worst: Banner; readonly more: number }) {
  return (
    <p class={`banner short ${worst.level}`}>
      <span>
        <strong>{worst.text}</strong> <a href={linkTo("overview")}>{linkText(worst, more)}</a>
      </span>
    </p>
  );
}

function linkText({ level }: Banner, more: number): string {
  const first = level === "note" ? "Overview" : "What to do";
  return more === 0 ? first : `${first}, and ${more} more`;
}

function Line({ banner }: { readonly banner: Banner }) {
  const { level, text, remedy, since, site, resume: span } = banner;
  return (
    <div class={`banner ${level}`}>
      <div>
        <p>
          <strong>{text}</strong> {remedy}
        </p>
        <p class="dim">
          {since !== null && (
            <>
              Since <When at={since} /> UTC, <When at={since} relative />.{" "}
            </>
          )}
          {site !== null && <a href={linkTo("sites", [site])}>{site}</a>}
        </p>
      </div>
      {span !== null && (
        <Action isSmall run={() => resume(span)} of={span === null ? "" : text}>
          Resume
        </Action>
      )}
    </div>
  );
}
