// Measures y = W x (W: 4096 x 4096) with ggml's CPU backend, through ggml's public API only: one graph of as many products as copies of W fill 320 MiB, all types in turn.
// It needs a finished ggml, its headers and libraries. ggml-products --threads 2 --rounds 9 --tokens 1 --no-check
#include "ggml.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <strings.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

static double now() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
static double cpu() { timespec t; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); return t.tv_sec + 1e-9 * t.tv_nsec; } // all threads, spinning included
static long nivcsw() { rusage u; getrusage(RUSAGE_SELF, &u); return u.ru_nivcsw; }
[[noreturn]] static void die(const std::string & s) { fprintf(stderr, "ggml-products: %s\n", s.c_str()); exit(1); }

static ggml_backend_buffer_type_t repack_buft() {
    // the way llama.cpp finds it
    ggml_backend_dev_t dev = ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0);
    auto f = (ggml_backend_dev_get_extra_bufts_t) ggml_backend_reg_get_proc_address(ggml_backend_cpu_reg(), "ggml_backend_dev_get_extra_bufts");
    if (!f) return nullptr;
    for (ggml_backend_buffer_type_t * b = f(dev); b && *b; b++)
        if (!strcmp(ggml_backend_buft_name(*b), "CPU_REPACK")) return *b;
    return nullptr;
}

struct Case {
    std::string name; ggml_type type; bool repack = false; int copies = 0; size_t bytes = 0;
    ggml_context * cw = nullptr, * cg = nullptr; ggml_backend_buffer_t bw = nullptr, bg = nullptr;
    std::vector<ggml_tensor *> w, y; ggml_tensor * x = nullptr; ggml_cgraph * g = nullptr; std::vector<ggml_cgraph *> gs;
    std::vector<double> t, u; std::vector<float> y0; long ivcs = 0; // y0: first product
};

static ggml_type type_by_name(const std::string & s) {
    for (int i = 0; i < GGML_TYPE_COUNT; i++) {
        const char * n = ggml_type_name((ggml_type) i);
        if (n && !strcasecmp(n, s.c_str())) return (ggml_type) i;
    }
    return GGML_TYPE_COUNT;
}

int main(int argc, char ** argv) {
    int threads = 2, rounds = 9, tokens = 1, copies = 0, mib = 320, inner = 1; int64_t N = 4096, M = 4096; bool check = true, single = false;
    std::string types = "f16,bf16,q4_0,q4_0_r,q4_K,q4_K_r,q2_K,q2_K_r,tq2_0,q8_0";
    for (int i = 1; i < argc; i++) {
        std::string a = argv[i];
        if (a == "--no-check") { check = false; continue; }
        if (a == "--single") { single = true; continue; } // one graph a product, each timed: less disturbed on a busy machine
        if (i + 1 >= argc) die("usage: ggml-products [--threads N] [--rounds R] [--tokens N] [--types a,b,c (suffix _r: repacked)] [--mib 320] [--copies N] [--inner graph runs a round] [--rows 4096] [--cols 4096] [--no-check] [--single]");
        const char * v = argv[++i];
        if (a == "--threads") threads = atoi(v); else if (a == "--rounds") rounds = atoi(v); else if (a == "--tokens") tokens = atoi(v);
        else if (a == "--types") types = v; else if (a == "--mib") mib = atoi(v); else if (a == "--copies") copies = atoi(v);
        else if (a == "--inner") inner = atoi(v); else if (a == "--rows") M = atoi(v); else if (a == "--cols") N = atoi(v);
        else die("unknown argument " + a);
    }
    if (threads < 1 || rounds < 1 || tokens < 1 || inner < 1) die("numbers must be positive");

    ggml_log_set([](ggml_log_level l, const char * t, void *) { if (l >= GGML_LOG_LEVEL_WARN) fputs(t, stderr); }, nullptr);
    ggml_backend_t be = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(be, threads);
    ggml_backend_dev_t dev = ggml_backend_get_device(be);
    ggml_backend_buffer_type_t rb = repack_buft(), pb = ggml_backend_cpu_buffer_type();
    printf("# ggml %s avx2=%d avx512=%d vbmi=%d vnni=%d bf16=%d fma=%d f16c=%d llamafile=%d openmp=%d repack=%d build=%s\n", ggml_version(),
        ggml_cpu_has_avx2(), ggml_cpu_has_avx512(), ggml_cpu_has_avx512_vbmi(), ggml_cpu_has_avx512_vnni(), ggml_cpu_has_avx512_bf16(),
        ggml_cpu_has_fma(), ggml_cpu_has_f16c(), ggml_cpu_has_llamafile(),
#ifdef BENCH_OPENMP
        1,
#else
        0,
#endif
        rb != nullptr, __VERSION__);
    printf("# threads=%d rounds=%d inner=%d%s tokens=%d W=%lldx%lld\n", threads, rounds, inner, single ? " single-product graphs" : "", tokens, (long long) M, (long long) N);

    // weights and input, the same for every type
    std::vector<float> W(N * M), X(N * (size_t) tokens);
    {
        std::vector<std::thread> th;
        for (int k = 0; k < 2; k++) th.emplace_back([&, k] {
            std::mt19937 r(100 + k); std::normal_distribution<float> d(0, 1.0f / std::sqrt((float) N));
            for (int64_t i = M / 2 * k; i < (k ? M : M / 2); i++) for (int64_t j = 0; j < N; j++) W[i * N + j] = d(r);
        });
        for (auto & t : th) t.join();
        std::mt19937 r(7); std::normal_distribution<float> d(0, 1); for (auto & v : X) v = d(r);
    }

    std::vector<Case> cs;
    for (size_t p = 0; p < types.size();) {
        size_t q = types.find(',', p); if (q == std::string::npos) q = types.size();
        Case c; c.name = types.substr(p, q - p); p = q + 1;
        std::string b = c.name;
        if (b.size() > 2 && !strcasecmp(b.c_str() + b.size() - 2, "_r")) { c.repack = true; b.resize(b.size() - 2); }
        c.type = type_by_name(b);
        if (c.type == GGML_TYPE_COUNT) die("no such type: " + c.name);
        if (ggml_quantize_requires_imatrix(c.type)) die("needs an importance matrix: " + c.name);
        if (c.repack && !rb) die("this build has no repack buffer");
        cs.push_back(c);
    }

    std::vector<uint8_t> q; ggml_type qtype = GGML_TYPE_COUNT; std::vector<float> deq;
    for (auto & c : cs) {
        c.bytes = ggml_row_size(c.type, N) * M;
        c.copies = copies ? copies : tokens == 1 ? std::max<int>(2, (int) (((size_t) mib * 1048576 + c.bytes - 1) / c.bytes)) : 4;
        if (qtype != c.type) { // quantise once for a type and its repacked form
            q.assign(c.bytes, 0); ggml_quantize_init(c.type);
            std::vector<std::thread> th;
            for (int k = 0; k < 2; k++) th.emplace_back([&, k] {
                int64_t r0 = k ? M / 2 : 0, nr = k ? M - M / 2 : M / 2;
                ggml_quantize_chunk(c.type, W.data(), q.data(), r0 * N, nr, N, nullptr);
            });
            for (auto & t : th) t.join();
            qtype = c.type; deq.resize(N * M);
            if (c.type == GGML_TYPE_F32) memcpy(deq.data(), q.data(), c.bytes);
            else ggml_get_type_traits(c.type)->to_float(q.data(), deq.data(), N * M);
        }
        ggml_init_params ip = { ggml_tensor_overhead() * (c.copies + 4), nullptr, true };
        c.cw = ggml_init(ip);
        for (int i = 0; i < c.copies; i++) c.w.push_back(ggml_new_tensor_2d(c.cw, c.type, N, M));
        c.bw = ggml_backend_alloc_ctx_tensors_from_buft(c.cw, c.repack ? rb : pb);
        if (!c.bw) die("no memory for " + c.name);
        ggml_backend_buffer_set_usage(c.bw, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        for (auto w : c.w) {
            if (c.repack && !w->extra) die("ggml has no repacked form on this CPU for " + c.name);
            ggml_backend_tensor_set(w, q.data(), 0, c.bytes);
            bool isr = ggml_backend_buffer_get_type(w->buffer) == rb;
            if (isr != c.repack) die("wrong buffer type for " + c.name);
            if (c.repack == (memcmp(w->data, q.data(), c.bytes) == 0)) die("bytes of W (not) rearranged for " + c.name);
        }
        ggml_init_params gp = { ggml_tensor_overhead() * (c.copies + 8) + ggml_graph_overhead_custom(c.copies + 8, false) + c.copies * ggml_graph_overhead_custom(8, false), nullptr, true };
        c.cg = ggml_init(gp);
        c.x = ggml_new_tensor_2d(c.cg, GGML_TYPE_F32, N, tokens);
        c.g = ggml_new_graph_custom(c.cg, c.copies + 8, false);
        for (auto w : c.w) {
            ggml_tensor * y = ggml_mul_mat(c.cg, w, c.x);
            c.y.push_back(y); ggml_build_forward_expand(c.g, y);
            if (single) { c.gs.push_back(ggml_new_graph_custom(c.cg, 8, false)); ggml_build_forward_expand(c.gs.back(), y); }
        }
        c.bg = ggml_backend_alloc_ctx_tensors(c.cg, be);
        if (!c.bg) die("no memory for the graph of " + c.name);
        ggml_backend_tensor_set(c.x, X.data(), 0, X.size() * 4);
        for (auto y : c.y) if (!ggml_backend_dev_supports_op(dev, y)) die("the CPU device does not support the product of " + c.name);
        if (ggml_graph_n_nodes(c.g) != c.copies) die("odd graph");
        // warm-up, and the result's check
        if (ggml_backend_graph_compute(be, c.g) != GGML_STATUS_SUCCESS) die("compute failed");
        c.y0.resize(M * (size_t) tokens);
        ggml_backend_tensor_get(c.y.front(), c.y0.data(), 0, c.y0.size() * 4);
        double eq = 0, ew = 0, nq = 0, nw = 0, el = 0, ed = -1, diff = 0, nd = 0; // against dequantised W, the dense W; last copy; default layout
        if (check) {
            int64_t step = tokens == 1 ? 1 : 13; // every row for one token, else every 13th
            for (int64_t i = 0; i < M; i += step) for (int64_t t = 0; t < tokens; t++) {
                const float * a = &deq[i * N], * w = &W[i * N], * x = &X[t * N]; double s[8] = {}, u[8] = {};
                for (int64_t j = 0; j < N; j += 8) for (int k = 0; k < 8; k++) { s[k] += (double) a[j + k] * x[j + k]; u[k] += (double) w[j + k] * x[j + k]; }
                double ss = 0, uu = 0; for (int k = 0; k < 8; k++) ss += s[k], uu += u[k];
                double y = c.y0[t * M + i];
                eq += (y - ss) * (y - ss); nq += ss * ss; ew += (y - uu) * (y - uu); nw += uu * uu;
            }
            eq = std::sqrt(eq / nq); ew = std::sqrt(ew / nw);
            std::vector<float> yl(c.y0.size());
            for (auto y : c.y) {
                ggml_backend_tensor_get(y, yl.data(), 0, yl.size() * 4);
                for (size_t i = 0; i < yl.size(); i++) el = std::max(el, (double) std::fabs(yl[i] - c.y0[i]));
            }
            if (c.repack) for (auto & o : cs) if (!o.repack && o.type == c.type && !o.y0.empty()) {
                diff = nd = 0;
                for (size_t i = 0; i < c.y0.size(); i++) { double d = c.y0[i] - o.y0[i]; diff += d * d; nd += (double) o.y0[i] * o.y0[i]; }
                ed = std::sqrt(diff / nd);
            }
            printf("check\t%s\tbuffer=%s\textra=%d\trel_err_vs_dequantised_W=%.3e\trel_err_vs_f32_W=%.3e\tmax_diff_between_copies=%.1e", c.name.c_str(),
                ggml_backend_buft_name(ggml_backend_buffer_get_type(c.w[0]->buffer)), c.w[0]->extra != nullptr, eq, ew, el);
            if (ed >= 0) printf("\trel_diff_vs_default_layout=%.3e", ed);
            printf("\n"); fflush(stdout);
            if (!(eq < 0.03)) printf("# WARNING: %s: error against its own dequantised weights is implausible\n", c.name.c_str());
            if (ed > 0.01) printf("# WARNING: %s: repacked and default layouts disagree\n", c.name.c_str());
        }
    }

    for (int r = 0; r < rounds; r++)
        for (size_t k = 0; k < cs.size(); k++) {
            Case & c = cs[(k + r) % cs.size()]; // another type begins each round
            for (int n = 0; n < inner; n++) {
                if (single) {
                    long v = nivcsw();
                    for (auto g : c.gs) {
                        double t = now(), u = cpu();
                        if (ggml_backend_graph_compute(be, g) != GGML_STATUS_SUCCESS) die("compute failed");
                        c.t.push_back(now() - t); c.u.push_back(cpu() - u);
                    }
                    c.ivcs += nivcsw() - v; continue;
                }
                long v = nivcsw(); double t = now(), u = cpu();
                if (ggml_backend_graph_compute(be, c.g) != GGML_STATUS_SUCCESS) die("compute failed");
                c.t.push_back((now() - t) / c.copies); c.u.push_back((cpu() - u) / c.copies); c.ivcs += nivcsw() - v;
            }
        }

    printf("result\ttype\tlayout\ttokens\tthreads\tcopies\tsamples\tbytes_W\tbits_per_weight\tmedian_us\tbest_us\tp10_us\tworst_us\tmedian_GBps\tbest_GBps\tmedian_GFLOPS\tbest_GFLOPS\tinvol_switches\tmedian_cpu_us\tbest_cpu_us\n");
    for (auto & c : cs) {
        std::vector<double> s = c.t; std::sort(s.begin(), s.end());
        std::sort(c.u.begin(), c.u.end());
        double med = s.size() % 2 ? s[s.size() / 2] : (s[s.size() / 2] + s[s.size() / 2 - 1]) / 2, fl = 2.0 * N * M * tokens;
        printf("result\t%s\t%s\t%d\t%d\t%d\t%zu\t%zu\t%.4f\t%.2f\t%.2f\t%.2f\t%.2f\t%.3f\t%.3f\t%.2f\t%.2f\t%ld\t%.2f\t%.2f\n", c.name.c_str(), c.repack ? "repacked" : "default",
            tokens, threads, c.copies, s.size(), c.bytes, 8.0 * c.bytes / (N * M), med * 1e6, s[0] * 1e6, s[s.size() / 10] * 1e6, s.back() * 1e6,
            c.bytes / med * 1e-9, c.bytes / s[0] * 1e-9, fl / med * 1e-9, fl / s[0] * 1e-9, c.ivcs, c.u[c.u.size() / 2] * 1e6, c.u[0] * 1e6);
    }
    for (auto & c : cs) { ggml_backend_buffer_free(c.bg); ggml_backend_buffer_free(c.bw); ggml_free(c.cg); ggml_free(c.cw); }
    ggml_backend_free(be);
}
