// Distribution and course of a record's steps, as the model has them (model_curves.cpp).
type Maybe = number | null;

export interface Curve {
  row: number;
  p: number[];
  quantile_ns: number[];
  low_ns: Maybe[];
  high_ns: Maybe[];
  start_s: number[];
  step_ns: number[];
  /** 0 plain, 1 stall, 2 stall beside a gap of the host */
  mark: number[];
  gap_start_s: number[];
  gap_ns: number[];
  /** where the second launch and each further one begins */
  launch_s: number[];
}
