import { existsSync } from 'node:fs'
import type { TensorMap } from '../../../formats/index.ts'
import { requireCharterBase } from '../../../node/consortium/charter-base.ts'
import { roundModel } from '../../../node/export/round-model.ts'
import { withModules } from '../../../node/export/sealed-model.ts'
import { homeAt } from '../../../node/home/home.ts'
import { baseModelFolder, homeModelFolder, requireBaseModel } from '../../options/shipped-model.ts'
import { printProgress } from '../../terminal/output.ts'
import type { EvalOptions } from './eval.ts'

/** A base model's folder, and what is in place of some of its weights. */
export interface EvaluatedModel {
  readonly folder: string
  readonly weights?: TensorMap
}

/**
 * The model to evaluate: a base model, or the one that a consortium sealed.
 *
 * @throws {Error} when the folder is not a base model, or the home has no such round
 */
export async function evaluatedModel({ model, home, round }: EvalOptions): Promise<EvaluatedModel> {
  const folder = home === undefined ? baseModelFolder(model) : homeModelFolder(homeAt(home), model)
  requireBaseModel(folder)
  if (home === undefined) return { folder }
  const sealed = await roundModel(homeAt(home), round)
  await requireCharterBase(folder, sealed.charter)
  printProgress(`the model of round ${sealed.round}`)
  return { folder, weights: withModules(new Map(), sealed.modules) }
}

/** The held-out text of the home, if it has a file of it. */
export function heldOutOf({ home, remote }: EvalOptions): string | undefined {
  if (home === undefined || remote !== undefined) return undefined
  const { heldOut } = homeAt(home)
  return existsSync(heldOut) ? heldOut : undefined
}
