import type { KeyTable } from './checked-keys.ts'

/**
 * Patterns of keys that tools around transformers leave in configuration files. transformers' classes store such keys
 * and compute nothing with them.
 */
export const NOTE_KEYS: KeyTable['harmless'] = [
  {
    reason: 'comments, and attributes that a program kept for itself',
    keys: ['//', '#', 'keys_to_ignore_at_inference', 'attribute_map', 'logits_to_keep', 'merge_method'],
    patterns: [/^_/, /^(?:\w+_)?(?:comments?|notes?|metadata|info)$/]
  },
  {
    reason: 'states the origin and licence of the files',
    keys: ['author', 'authors', 'citation', 'doi', 'homepage', 'language', 'languages', 'datasets', 'source'],
    patterns: [
      /(?:^|_)(?:version|revision|commit|hash|sha|checksum|repo|repo_id|url|license|date|description|title|tags?)$/,
      /(?:^|_)(?:name|id)_or_path$/,
      /^(?:created|updated|released|uploaded|saved|trained|converted|merged|quantized)_(?:at|on|by|with|from)$/,
      /^(?:pipeline_tag|library_name|processor_class|image_processor_type|feature_extractor_type|base_model)$/,
      /^(?:model|run|experiment|project|checkpoint|hub_model)_(?:id|name|type_name|path)$/
    ]
  },
  {
    reason: 'counts parameters or bytes',
    keys: [
      'num_parameters',
      'num_params',
      'n_params',
      'total_params',
      'total_parameters',
      'model_size',
      'size'
    ]
  },
  {
    reason: 'settings of another program, under its name',
    keys: [],
    patterns: [
      /^(?:axolotl|unsloth|mergekit|mlx|mlx_lm|vllm|sglang|tgi|onnx|onnxruntime|openvino|optimum|neuron|neuronx|ipex|coreml|tensorrt|trtllm|deepspeed|megatron|fsdp|accelerate|llamafactory|lmdeploy|transformers\.js|transformers_js|sagemaker|nemo|ollama)(?:[._]\w*)*$/,
      /^(?:use|enable|disable)_(?:flash_attn|flash_attention|flash|sdpa|xformers|triton|liger|fused|kernel|cuda|mps|ipex|cpu|gpu|fast|unsloth|compile|torch)\w*$/,
      /^(?:device_map|device|low_cpu_mem_usage|trust_remote_code|use_fast|offload_folder|max_memory|model_parallel|parallelization_style|use_reentrant)$/,
      /^(?:tensor|pipeline|sequence|context|expert|data)_(?:model_)?parallel\w*$/
    ]
  },
  {
    reason: 'about the training of the base, which is frozen',
    keys: [
      'seed',
      'loss',
      'loss_type',
      'label_smoothing',
      'trainable',
      'freeze',
      'ema',
      'neftune_noise_alpha'
    ],
    patterns: [
      /(?:^|_)dropout(?:$|_)/,
      /^(?:train|training|trainer|pretrain|pretraining|finetune|finetuning|sft|dpo|rlhf|optimizer|optim|scheduler|lr)(?:_\w+)?$/,
      /^(?:learning_rate|weight_decay|warmup_\w+|batch_size|gradient_\w+|num_epochs|num_train_\w+|mixed_precision)$/,
      /^(?:\w+_)?(?:loss_coef|loss_weight|initializer_\w+|init_\w*std|init_method|init_scale|freeze_\w+)$/
    ]
  },
  {
    reason: 'names tokens, which are read from the tokenizer, or tokens for images and sound',
    keys: ['bos_token', 'eos_token', 'pad_token', 'unk_token', 'additional_special_tokens', 'tokenizer_type'],
    patterns: [/_token(?:_id|_index|_ids)?$/, /^tokenizer_(?:name|file|path|model|class|vocab_size)$/]
  },
  {
    reason: 'lengths used or recommended by the authors, and the vocabulary size before rounding up',
    keys: [
      ...['max_seq_length', 'max_length', 'max_context_length', 'context_length', 'ctx_len', 'block_size'],
      ...[
        'n_ctx',
        'train_seq_len',
        'padded_vocab_size',
        'true_vocab_size',
        'real_vocab_size',
        'pad_to_multiple_of'
      ],
      ...['original_vocab_size', 'unpadded_vocab_size', 'vocab_size_padded', 'pad_vocab_size_multiple']
    ]
  }
]
