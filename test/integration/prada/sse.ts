/** A chunk, or the error that ends a stream. */
export interface ToldEvent {
  readonly choices: readonly { readonly delta?: { readonly content?: string }; readonly text?: string }[]
  readonly usage?: object | null
  readonly error?: { readonly message: string }
}

/** What a client received, event by event. */
export interface ToldEvents {
  /** Data of each event, parsed but for the last `[DONE]`. */
  readonly events: readonly ToldEvent[]
  readonly isDone: boolean
}

/** Reads server-sent events as a program without a library would. */
export function parseEvents(text: string): ToldEvents {
  const data = text
    .split('\n\n')
    .filter((block) => block.startsWith('data: '))
    .map((block) => block.slice('data: '.length))
  const isDone = data.at(-1) === '[DONE]'
  return { events: (isDone ? data.slice(0, -1) : data).map((one) => JSON.parse(one)), isDone }
}

/** Posts JSON. */
export function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
    body: typeof body === 'string' ? body : JSON.stringify(body)
  })
}
