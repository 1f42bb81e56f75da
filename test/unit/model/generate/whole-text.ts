import { headParameter } from '../../../../src/model/families/index.ts'
import { GraphBuilder, matMul, slice } from '../../../../src/model/graph/index.ts'
import {
  type BaseModel,
  createOnnxRuntimeExecutor,
  hiddenStates,
  parameterShapes
} from '../../../../src/model/index.ts'

/** Logits of the token after `ids`, from one pass over the whole text and no cache: what a decoder must agree with. */
export async function wholeTextLogits(
  { config, weights }: Pick<BaseModel, 'config' | 'weights'>,
  ids: readonly number[]
): Promise<Float32Array> {
  const builder = new GraphBuilder()
  const parameters = new Map(
    [...parameterShapes(config)].map(([name, shape]) => [name, builder.input(name, shape)])
  )
  const parameter = (name: string) => parameters.get(name)!
  const inputIds = builder.input('inputIds', [1, ids.length], 'int32')
  const hidden = hiddenStates(config, inputIds, { parameter, lora: new Map() })
  const last = slice(hidden, 0, ids.length - 1, ids.length)
  const logits = matMul(last, parameter(headParameter(config)), { transposeB: true })
  const compiled = await createOnnxRuntimeExecutor().compile(builder.build({ logits }))
  const feeds = new Map<string, Float32Array | Int32Array>(
    [...weights].map(([name, { data }]) => [name, data])
  )
  const outputs = await compiled.run(feeds.set('inputIds', Int32Array.from(ids)))
  const copy = outputs.get('logits')!.slice()
  await compiled.dispose()
  return copy
}
