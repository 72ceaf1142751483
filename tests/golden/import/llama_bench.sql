CREATE TABLE IF NOT EXISTS llama_bench (
  build_commit TEXT,
  build_number INTEGER,
  cpu_info TEXT,
  gpu_info TEXT,
  backends TEXT,
  model_filename TEXT,
  model_type TEXT,
  model_size INTEGER,
  model_n_params INTEGER,
  n_batch INTEGER,
  n_ubatch INTEGER,
  n_threads INTEGER,
  cpu_mask TEXT,
  type_k TEXT,
  type_v TEXT,
  n_gpu_layers INTEGER,
  split_mode TEXT,
  flash_attn INTEGER,
  tensor_split TEXT,
  n_prompt INTEGER,
  n_gen INTEGER,
  n_depth INTEGER,
  test_time TEXT,
  avg_ns INTEGER,
  stddev_ns INTEGER,
  avg_ts REAL,
  stddev_ts REAL
);

INSERT INTO llama_bench (build_commit, build_number, cpu_info, gpu_info, backends, model_filename, model_type, model_size, model_n_params, n_batch, n_ubatch, n_threads, cpu_mask, type_k, type_v, n_gpu_layers, split_mode, flash_attn, tensor_split, n_prompt, n_gen, n_depth, test_time, avg_ns, stddev_ns, avg_ts, stddev_ts) VALUES ('abc1234', '5000', 'Example CPU', 'Example GPU', 'Example', 'm.gguf', 'llama 7B Q4_0', '3825065984', '6738415616', '2048', '512', '8', '0x0', 'f16', 'f16', '99', 'layer', '0', '0.00', '512', '0', '0', '2026-03-01T10:00:00Z', '2000000000', '0', '256.0', '0.0');
INSERT INTO llama_bench (build_commit, build_number, cpu_info, gpu_info, backends, model_filename, model_type, model_size, model_n_params, n_batch, n_ubatch, n_threads, cpu_mask, type_k, type_v, n_gpu_layers, split_mode, flash_attn, tensor_split, n_prompt, n_gen, n_depth, test_time, avg_ns, stddev_ns, avg_ts, stddev_ts) VALUES ('abc1234', '5000', 'Example CPU', 'Example GPU', 'Example', 'm.gguf', 'llama 7B Q4_0', '3825065984', '6738415616', '2048', '512', '8', '0x0', 'f16', 'f16', '99', 'layer', '0', '0.00', '0', '128', '4096', '2026-03-01T10:01:00Z', '1293333333', '300222139', '102.666667', '24.110855');
