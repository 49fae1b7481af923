// The address names no place of this page.
import { Title } from "../parts/title.tsx";
import { linkTo } from "../route.ts";

export function Nowhere() {
  return (
    <>
      <Title text="Nothing here" />
      <p>
        The address names no place of this page. <a href={linkTo("overview")}>To the overview</a>
      </p>
    </>
  );
}
