import { Session } from 'node:inspector'

/** A value in the process, as the inspector names it. */
interface RemoteObject {
  readonly objectId?: string
  readonly value?: unknown
}

interface Property {
  readonly name: string
  readonly value?: RemoteObject & {
    readonly value?: { readonly scriptId: string; readonly lineNumber: number }
  }
}

/**
 * What keeps this process from ending, a line each: timers with the place of their function, sockets, servers, child
 * processes, and the kind of everything else.
 */
export function leftOpen(): string[] {
  const kinds = process.getActiveResourcesInfo()
  const handles = activeHandles()
  return [
    ...(kinds.some((kind) => kind === 'Timeout' || kind === 'Immediate') ? timersLeft() : []),
    ...handles.map(handleText),
    `active: ${kinds.join(', ')}`
  ]
}

/** Nothing else in Node tells of handles themselves. */
function activeHandles(): readonly object[] {
  const { _getActiveHandles } = process as unknown as { _getActiveHandles?: () => object[] }
  return (_getActiveHandles?.() ?? []).filter((each) => each !== process.stdout && each !== process.stderr)
}

function handleText(handle: object): string {
  const { spawnargs, pid, localPort, remotePort, fd, _type } = handle as Record<string, unknown>
  const facts = { spawnargs, pid, localPort, remotePort, fd, _type }
  const known = Object.entries(facts).filter(([, value]) => value !== undefined && value !== null)
  return [handle.constructor.name, ...known.map(([name, value]) => `${name}=${String(value)}`)].join(' ')
}

/** Timers that keep the process alive, found among all objects: this costs nothing unless a process is late. */
function timersLeft(): string[] {
  const session = new Session()
  session.connect()
  /** Within one thread the inspector answers before it returns. */
  const post = <Answer>(method: string, parameters: object = {}): Answer => {
    let answer: unknown
    session.post(method, parameters, (error, result) => {
      if (error !== null) throw error
      answer = result
    })
    return answer as Answer
  }
  try {
    const scripts = new Map<string, string>()
    session.on('Debugger.scriptParsed', ({ params }) => void scripts.set(params.scriptId, params.url))
    post('Debugger.enable')
    const { result: prototype } = post<{ result: RemoteObject }>('Runtime.evaluate', {
      expression: 'Object.getPrototypeOf(setTimeout(() => undefined).unref())'
    })
    const { objects } = post<{ objects: RemoteObject }>('Runtime.queryObjects', {
      prototypeObjectId: prototype.objectId
    })
    const propertiesOf = ({ objectId }: RemoteObject) =>
      post<{ result: Property[]; internalProperties?: Property[] }>('Runtime.getProperties', {
        objectId,
        ownProperties: true
      })
    const { result: held } = post<{ result: RemoteObject }>('Runtime.callFunctionOn', {
      objectId: objects.objectId,
      functionDeclaration: 'function () { return this.filter((each) => each.hasRef?.() && !each._destroyed) }'
    })
    return propertiesOf(held)
      .result.filter(({ name, value }) => /^\d+$/.test(name) && value?.objectId !== undefined)
      .map(({ value: timer }) => {
        const { result: fields } = propertiesOf(timer!)
        const field = (name: string) => fields.find((each) => each.name === name)?.value
        const callback = field('_onTimeout')
        const internal = callback?.objectId === undefined ? [] : propertiesOf(callback).internalProperties
        const place = internal?.find(({ name }) => name === '[[FunctionLocation]]')?.value?.value
        const where =
          place === undefined ? 'Node itself' : `${scripts.get(place.scriptId)}:${place.lineNumber + 1}`
        return `timer of ${String(field('_idleTimeout')?.value)} ms, set in ${where}`
      })
  } finally {
    session.disconnect()
  }
}
