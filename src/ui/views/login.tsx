// Logging in takes an API key. It goes to the daemon once, for a cookie that no script can read, and is kept nowhere here.
import { useEffect, useRef, useState } from "preact/hooks";
import { logIn, session } from "../api.ts";
import { FaultText } from "../parts/faults.tsx";
import type { Fault } from "../problem.ts";

export function Login() {
  const field = useRef<HTMLInputElement>(null);
  const [isRunning, setIsRunning] = useState(false);
  const [fault, setFault] = useState<Fault | null>(null);
  const { value } = session;
  const hasEnded = value.at === "out" && value.ended;
  useEffect(() => {
    document.title = "Log in · Postrider";
    field.current?.focus();
  }, []);
  const submit = async (): Promise<void> => {
    const key = field.current?.value.trim() ?? "";
    if (isRunning || key === "") return field.current?.focus();
    setIsRunning(true);
    const refused = await logIn(key);
    setIsRunning(false);
    setFault(refused);
    if (refused !== null) field.current?.select();
  };
  return (
    <main class="alone">
      <h1>Postrider</h1>
      {hasEnded && (
        <p class="box wait" role="status">
          The session has ended. Log in again to go on where you were.
        </p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {/* Keepers of passwords look for a name beside the secret. */}
        <input hidden readOnly autocomplete="username" value="API key" />
        <label for="key">API key</label>
        <input
          id="key"
          ref={field}
          type="password"
          autocomplete="current-password"
          spellcheck={false}
          required
          aria-invalid={fault !== null}
          aria-describedby="key-note key-fault"
        />
        <div id="key-fault" role="alert">
          {fault !== null && (
            <div class="box bad">
              <p>
                <strong>{fault.title}.</strong>
              </p>
              <FaultText fault={fault} />
            </div>
          )}
        </div>
        <button type="submit" class="main" aria-disabled={isRunning} aria-busy={isRunning}>
          {isRunning ? "Logging in…" : "Log in"}
        </button>
        <p id="key-note" class="dim">
          The first key lies in the file <code>api-key</code> of the data folder. Others are made by{" "}
          <code>postrider key create --scope read</code>; one without the scope <code>manage</code>{" "}
          sees everything and changes nothing.
        </p>
      </form>
    </main>
  );
}
