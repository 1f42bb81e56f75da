import type { Tensor } from '@tensorflow/tfjs-core'
import type { GraphNode } from '../../../graph/index.ts'
import type { Tfjs } from '../load-tfjs.ts'

/**
 * Computes a node on TensorFlow.js. It runs inside `tf.tidy`, which frees what it makes on the way; it must return a
 * tensor of its own, never an input.
 */
export type Lowering = (tf: Tfjs, node: GraphNode, inputs: readonly Tensor[]) => Tensor
