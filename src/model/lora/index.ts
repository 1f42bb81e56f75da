/**
 * LoRA in a model: which modules are adapted, how factors are initialised, and how they enter a graph.
 *
 * @example
 * ```ts
 * const lora = { rank: 8, alpha: 16, targetModules: ['all-linear'] }
 * const pairs = initialiseLora(config, lora, 1) // B is zero: the model starts unchanged
 * ```
 */
export type { DropoutDraw } from './dropout.ts'
export { initialiseLora, type LoraInitOptions } from './lora-init.ts'
export { loraNames } from './lora-nodes.ts'
export { type LoraModule, type LoraSettings, loraModules } from './lora-settings.ts'
