/**
 * Chat templates by name, for models that have none. They follow the layouts published by their makers, rewritten with generation blocks around
 * assistant messages, so that training can find their tokens.
 *
 * @module
 */

const SYSTEM_APART = "{% set system = '' %}{% set said = messages %}" +
  "{% if messages and messages[0].role == 'system' %}" +
  "{% set system = messages[0].content %}{% set said = messages[1:] %}{% endif %}";

/** Templates by name. A system prompt is put where the layout has a place for it, otherwise before the first message. */
const templates = {
  /** Stanford Alpaca: instructions without turns. */
  alpaca: SYSTEM_APART +
    "{% for m in said %}{% if m.role == 'assistant' %}{% generation %}{{ m.content + eos_token }}{% endgeneration %}{{ '\\n\\n' }}" +
    "{% else %}{% if loop.first %}{% if system %}{{ system }}{% elif '\\n\\n### Input:\\n' in m.content %}" +
    "{{ 'Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.' }}" +
    "{% else %}{{ 'Below is an instruction that describes a task. Write a response that appropriately completes the request.' }}" +
    "{% endif %}{{ '\\n\\n' }}{% endif %}{{ '### Instruction:\\n' + m.content + '\\n\\n### Response:\\n' }}{% endif %}{% endfor %}",
  /** ChatML: tokens around every message, used by Qwen and many others. */
  chatml:
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}" +
    "{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\\n' }}" +
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  /** Gemma: a system prompt precedes the first message. */
  gemma: SYSTEM_APART +
    "{{ bos_token }}{% for m in said %}{% if m.role == 'assistant' %}{{ '<start_of_turn>model\\n' }}" +
    "{% generation %}{{ m.content | trim + '<end_of_turn>' }}{% endgeneration %}{{ '\\n' }}" +
    "{% else %}{{ '<start_of_turn>' + m.role + '\\n' }}{% if loop.first and system %}{{ system + '\\n\\n' }}{% endif %}" +
    "{{ m.content | trim + '<end_of_turn>\\n' }}{% endif %}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}",
  /** Llama 2: turns in brackets, the system prompt within the first. */
  llama2: SYSTEM_APART +
    "{% for m in said %}{% if m.role == 'assistant' %}{% generation %}{{ ' ' + m.content | trim + ' ' + eos_token }}{% endgeneration %}" +
    "{% else %}{{ bos_token + '[INST] ' }}{% if loop.first and system %}{{ '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' }}{% endif %}" +
    "{{ m.content | trim + ' [/INST]' }}{% endif %}{% endfor %}",
  /** Llama 3. */
  llama3:
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' }}{% if m.role == 'assistant' %}" +
    "{% generation %}{{ m.content | trim + '<|eot_id|>' }}{% endgeneration %}{% else %}{{ m.content | trim + '<|eot_id|>' }}{% endif %}" +
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
  /** Mistral's first layout: a system prompt precedes the first message. */
  mistral: SYSTEM_APART +
    "{{ bos_token }}{% for m in said %}{% if m.role == 'assistant' %}{% generation %}{{ m.content + eos_token }}{% endgeneration %}" +
    "{% else %}{{ '[INST] ' }}{% if loop.first and system %}{{ system + '\\n\\n' }}{% endif %}{{ m.content + ' [/INST]' }}{% endif %}{% endfor %}",
  /** Vicuna 1.1: words instead of tokens. */
  vicuna: SYSTEM_APART +
    "{{ bos_token }}{% if system %}{{ system }}{% else %}{{ \"A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.\" }}{% endif %}{{ ' ' }}" +
    "{% for m in said %}{% if m.role == 'assistant' %}{{ 'ASSISTANT:' }}{% generation %}{{ ' ' + m.content + eos_token }}{% endgeneration %}" +
    "{% else %}{{ 'USER: ' + m.content + ' ' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
} as const;

/** Names of the templates, for `template` of {@linkcode chatText} and `task.chat_template`. */
export const chatTemplateNames: readonly string[] = Object.keys(templates);

/** The template with that name, or undefined. */
export function namedChatTemplate(name: string): string | undefined {
  return Object.entries(templates).find(([known]) => known === name.toLowerCase())?.[1];
}
