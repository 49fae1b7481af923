// The dashboard: one page, served from the executable, that speaks to the public API alone.
import { render } from "preact";

const place = document.getElementById("page");
if (place !== null) render(<main>Postrider</main>, place);
