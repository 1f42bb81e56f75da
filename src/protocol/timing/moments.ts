/** When things happened in a view, milliseconds by the member's own clock. */
export interface ViewMoments {
  readonly began?: number
  /** The own prevote for a cut. */
  readonly prevoted?: number
  /** The own precommit for a cut. */
  readonly precommitted?: number
}

/** When things happened in a round, milliseconds by the member's own clock. */
export interface Moments {
  /** `gathering` began. */
  readonly gathering?: number
  /** f + 1 readies had arrived. */
  readonly readies?: number
  /** The last certificate before the commit arrived. */
  readonly certified?: number
  readonly views: ReadonlyMap<number, ViewMoments>
}

/** At the start of a round, and for a member without a clock. */
export const NO_MOMENTS: Moments = { views: new Map() }

/** Adds the time of something that happens once in a round; the first time counts. */
export function withMoment(moments: Moments, moment: 'gathering' | 'readies', now: number): Moments {
  return moments[moment] === undefined ? { ...moments, [moment]: now } : moments
}

/** Adds the time of something that happens once in a view; the first time counts. */
export function withViewMoment(
  moments: Moments,
  view: number,
  moment: keyof ViewMoments,
  now: number
): Moments {
  const known = moments.views.get(view)
  if (known?.[moment] !== undefined) return moments
  return { ...moments, views: new Map(moments.views).set(view, { ...known, [moment]: now }) }
}
