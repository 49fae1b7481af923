// An answer without an end, such as the stream of events, must not outlive the key that asked for it: whatever was to be said next is
// held against the key first.

export const EVENT_STREAM = "text/event-stream";

/** Other answers pass as they are. Nothing is read ahead, so a slow client is as slow to the source as it was. */
export function endWithKey(response: Response, isAllowed: () => boolean): Response {
  const { body, headers, status } = response;
  if (body === null || headers.get("content-type") !== EVENT_STREAM) return response;
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
