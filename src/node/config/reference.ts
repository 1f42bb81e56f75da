import { SETTINGS } from './schema.ts'
import type { Setting } from './setting.ts'

/** All settings as a Markdown table, for docs/configuration.md. */
export function settingsReference(): string {
  const rows = SETTINGS.map((setting) => [
    `\`${setting.key}\``,
    withUnit(setting),
    setting.accepts,
    defaultText(setting),
    givenBy(setting)
  ])
  return [['setting', 'what', 'takes', 'default', 'flag'], ['---', '---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
}

/** A setting's description with its unit. */
export function withUnit({ description, unit }: Pick<Setting, 'description' | 'unit'>): string {
  return unit === undefined ? description : `${description} (${unit})`
}

/** The default of a setting, for people. */
export function defaultText({ defaultValue, absent }: Pick<Setting, 'defaultValue' | 'absent'>): string {
  if (defaultValue === undefined) return absent ?? 'none'
  if (Array.isArray(defaultValue)) return defaultValue.length === 0 ? 'none' : defaultValue.join(', ')
  return String(defaultValue)
}

function givenBy({ flag, kind, key, secretFrom }: Setting): string {
  if (secretFrom !== undefined) return `only \`${secretFrom}\` in the environment`
  if (flag === undefined) return `\`--set ${key}=…\``
  return kind === 'boolean' ? `\`${flag}\`, \`${flag.replace('--', '--no-')}\`` : `\`${flag}\``
}
