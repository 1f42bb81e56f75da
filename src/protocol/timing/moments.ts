/** Times of events in a view, in milliseconds of the member's own clock. */
export interface ViewMoments {
  readonly began?: number
  /** This member's prevote for a cut. */
  readonly prevoted?: number
  /** This member's precommit for a cut. */
  readonly precommitted?: number
}

/** Times of events in a round, in milliseconds of the member's own clock. */
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

/** Records the time of an event that happens once per round; the first time counts. */
export function withMoment(moments: Moments, moment: 'gathering' | 'readies', now: number): Moments {
  return moments[moment] === undefined ? { ...moments, [moment]: now } : moments
}

/** Records the time of an event that happens once per view; the first time counts. */
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
