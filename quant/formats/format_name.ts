/**
 * Names of formats as a type, so that editors can complete them.
 *
 * @module
 */

/** The name of a GGUF format or of a dense format. */
export type GgufFormatName =
  | "F32"
  | "F16"
  | "BF16"
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q2_K"
  | "Q3_K"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K"
  | "IQ1_S"
  | "IQ1_M"
  | "IQ2_XXS"
  | "IQ2_XS"
  | "IQ2_S"
  | "IQ3_XXS"
  | "IQ3_S"
  | "IQ4_NL"
  | "IQ4_XS"
  | "MXFP4"
  | "TQ1_0"
  | "TQ2_0";

/** How the values of a group are encoded. */
export type GroupValues =
  | "int2"
  | "int2z"
  | "int3"
  | "int3z"
  | "int4"
  | "int4z"
  | "int4m"
  | "int8"
  | "int8z"
  | "nf4"
  | "fp4";

/** The name of a format in the table `FORMATS`. */
export type KnownFormatName =
  | GgufFormatName
  | `${GroupValues}_${"g32" | "g64" | "g128" | "row"}`
  | "int4m_g256"
  | "codebook1x8"
  | "codebook2x8"
  | "codebook3x8"
  | "codebook1x16";

/**
 * The name of a format: one in the table, or one that is constructed from its name, such as `codebook4x8` or
 * `int4c_r64`.
 */
export type FormatName = KnownFormatName | (string & Record<never, never>);
