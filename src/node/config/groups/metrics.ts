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
        'also serve /metrics, /healthz and /readyz, and nothing else, at this address without a token',
      accepts: 'HOST:PORT such as 127.0.0.1:9464 or [::]:9464',
      absent: 'only the control API serves them',
      flag: '--metrics-listen <host:port>'
    }
  ),
  hosts: setting(z.array(z.string().regex(/^[A-Za-z0-9._-]{1,253}$/)).default([]), {
    description:
      'host names with a dot under which monitoring may reach that address; IP addresses and names without a dot are always allowed',
    accepts: 'a list of host names such as peer.example.org'
  })
})

/** Host and port of `HOST:PORT`; undefined if malformed. */
export function parseHostAndPort(text: string): { host: string; port: number } | undefined {
  const [, six, four, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? four
  const port = Number(digits)
  return host === undefined || port > 65_535 ? undefined : { host, port }
}
