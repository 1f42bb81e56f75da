/**
 * Gossipsub's score parameters; the rest are the implementation's defaults: docs/security.md says what they add up to.
 */
export const SCORE_THRESHOLDS = {
  gossipThreshold: -10,
  publishThreshold: -50,
  graylistThreshold: -80,
  acceptPXThreshold: 10,
  opportunisticGraftThreshold: 20
}

/**
 * The price of a rejected message: weight × count², and the count decays each second. Three within seconds reach the
 * graylist threshold; they decay within a minute.
 */
export const INVALID_MESSAGES = { weight: -10, decay: 0.9 }
