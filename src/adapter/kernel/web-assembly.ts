/** The part of WebAssembly that the kernel needs; neither TypeScript's `es2023` library nor Node's types declare it. */
interface WebAssemblyNamespace {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

/** The engine's WebAssembly. */
export const { Module: WasmModule, Instance: WasmInstance } = (
  globalThis as unknown as { WebAssembly: WebAssemblyNamespace }
).WebAssembly

/** A WebAssembly memory: `buffer` is replaced whenever it grows. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer
  /** Grows by pages of 64 KiB; throws a RangeError when the machine has no more memory. */
  grow(pages: number): number
}
