/** What gossipsub makes of a peer's score; the implementation's defaults: docs/security.md says what they add up to. */
export const SCORE_THRESHOLDS = {
  gossipThreshold: -10,
  publishThreshold: -50,
  graylistThreshold: -80,
  acceptPXThreshold: 10,
  opportunisticGraftThreshold: 20
}

/**
 * The price of a rejected message: weight × count², and the count decays each second. Three within seconds are enough for
 * the graylist; they are forgotten in a minute.
 */
export const INVALID_MESSAGES = { weight: -10, decay: 0.9 }
