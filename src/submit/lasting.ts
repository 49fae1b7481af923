// An answer without an end, such as the stream of events, must not outlive the key that asked for it: whatever was to be said next is
// held against the key first.

/** Other answers pass as they are. Nothing is read ahead, so a slow client is as slow to the source as it was. */
export function endWithKey(
  { method }: Pick<Request, "method">,
  response: Response,
  isAllowed: () => boolean,
): Response {
  const { body, headers, status } = response;
  if (body === null || headers.get("content-type") !== "text/event-stream") return response;
  if (method === "HEAD") {
    // Nobody will ever read it, nor tell it that he is gone.
    void body.cancel();
    return new Response(null, { status, headers });
  }
  const reader = body.getReader();
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        if (isAllowed()) return controller.enqueue(value);
        controller.close();
        await reader.cancel();
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { status, headers });
}
