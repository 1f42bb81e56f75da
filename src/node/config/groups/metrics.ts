import { z } from 'zod'
import { setting } from '../setting.ts'

/** Metrics for Prometheus. The control API serves them too, with its token. */
export const metricsSettings = z.strictObject({
  listen: setting(
    z
      .string()
      .refine((text) => parseHostAndPort(text) !== undefined)
      .optional(),
    {
      description:
        'serve /metrics, /healthz and /readyz, and nothing else, without a token at this address, too',
      accepts: 'HOST:PORT such as 127.0.0.1:9464 or [::]:9464',
      absent: 'only the control API serves them',
      flag: '--metrics-listen <host:port>'
    }
  ),
  hosts: setting(z.array(z.string().regex(/^[A-Za-z0-9._-]{1,253}$/)).default([]), {
    description:
      'names with a dot under which monitoring reaches that address; IP addresses and names without a dot always do',
    accepts: 'a list of host names such as peer.example.org'
  })
})

/** Host and port of `HOST:PORT`; undefined for what is none. */
export function parseHostAndPort(text: string): { host: string; port: number } | undefined {
  const [, six, four, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? four
  const port = Number(digits)
  return host === undefined || port > 65_535 ? undefined : { host, port }
}
