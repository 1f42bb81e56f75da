import { linearModules, type ModelConfig } from './registry.ts'

/** Pattern for all linear modules except the output head, as in PEFT. */
export const ALL_LINEAR = 'all-linear'

/**
 * The linear modules that match `patterns`, sorted. A pattern is
 *
 * - `all-linear`;
 * - a module's full name or its suffix after a dot: `q_proj`, `self_attn.q_proj`;
 * - the same with `*` for any characters: `*_proj`, `layers.*.mlp.*`;
 * - a regular expression between slashes that matches the full name: `/model\.layers\.[0-3]\..*\.v_proj/`.
 *
 * @throws {Error} if a pattern matches no linear module of the model, or is not a valid regular expression
 */
export function expandTargetModules(config: ModelConfig, patterns: readonly string[]): string[] {
  const names = [...linearModules(config).keys()]
  const found = new Set<string>()
  for (const pattern of patterns) {
    const fits = moduleMatcher(pattern)
    const matches = names.filter(fits)
    if (matches.length === 0) {
      const kinds = new Set(names.map((name) => name.slice(name.lastIndexOf('.') + 1)))
      throw new Error(
        `no linear module of the model matches ${pattern}; available: ${[...kinds].join(', ')} (and ${ALL_LINEAR})`
      )
    }
    for (const match of matches) found.add(match)
  }
  return [...found].sort()
}

/**
 * Whether a module's full name matches a pattern of {@link expandTargetModules}.
 *
 * @throws {Error} if the pattern is not a valid regular expression
 */
export function moduleMatcher(pattern: string): (module: string) => boolean {
  if (pattern === ALL_LINEAR) return () => true
  if (pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/')) {
    const expression = regularExpression(pattern.slice(1, -1))
    return (module) => expression.test(module)
  }
  if (!pattern.includes('*')) return (module) => module === pattern || module.endsWith(`.${pattern}`)
  const parts = pattern.split('*')
  return (module) => fitsWildcards(module, parts)
}

/** Whether `parts` occur in this order, the last at the end and the first at the start or after a dot. */
function fitsWildcards(module: string, parts: readonly string[]): boolean {
  const starts = [0, ...[...module.matchAll(/\./g)].map(({ index }) => index + 1)]
  const last = parts.at(-1)!
  return starts.some((start) => {
    if (!module.startsWith(parts[0]!, start)) return false
    let position = start + parts[0]!.length
    for (const part of parts.slice(1, -1)) {
      const at = module.indexOf(part, position)
      if (at < 0) return false
      position = at + part.length
    }
    return module.length - last.length >= position && module.endsWith(last)
  })
}

function regularExpression(source: string): RegExp {
  try {
    return new RegExp(`^(?:${source})$`)
  } catch (cause) {
    throw new Error(
      `/${source}/ is not a regular expression: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause
      }
    )
  }
}
