// Products of log codes: exponents add, and what accumulates are powers of two.
//
// x has codes up to X_MOST, beyond which it saturates; w up to 2^(W_BITS-1) - 1. The product of the largest codes is
// 2^GUARD_BITS, one that is e steps smaller 2^(GUARD_BITS - e / STEPS); below 1 it is dropped. With STEPS 2, base
// sqrt 2, those of an odd e, rounded up to a whole octave, go to the odd accumulator. A code 0 adds nothing.
module qonnx_log_mac #(
    parameter X_BITS = 4,
    parameter X_SIGNED = 0,
    parameter X_MOST = 15,
    parameter W_BITS = 4,
    parameter STEPS = 1,
    parameter GUARD_BITS = 20,
    parameter ACC_BITS = 28
) (
    input clk,
    input enable,
    input first,
    input [X_BITS-1:0] x,
    input signed [W_BITS-1:0] w,
    input signed [ACC_BITS-1:0] bias,
    output signed [ACC_BITS-1:0] even,
    output signed [ACC_BITS-1:0] odd
);
    localparam LARGEST = X_MOST + (1 << (W_BITS - 1)) - 1;
    localparam OFFSET = STEPS == 1 ? GUARD_BITS - LARGEST : 2 * GUARD_BITS + 1 - LARGEST;
    // Both sizes, and what they make with OFFSET, with a sign.
    localparam STEP_BITS = 2 + $clog2(LARGEST + 2 + (OFFSET < 0 ? -OFFSET : OFFSET));

    wire x_negative = X_SIGNED ? x[X_BITS-1] : 1'b0;
    wire [X_BITS-1:0] x_size = (x ^ {X_BITS{x_negative}}) + {{(X_BITS - 1) {1'b0}}, x_negative};
    // verilator lint_off CMPCONST
    wire [X_BITS-1:0] x_inside = x_size > X_MOST[X_BITS-1:0] ? X_MOST[X_BITS-1:0] : x_size;
    // verilator lint_on CMPCONST
    wire w_negative = w[W_BITS-1];
    wire [W_BITS-1:0] w_size = (w ^ {W_BITS{w_negative}}) + {{(W_BITS - 1) {1'b0}}, w_negative};

    wire [STEP_BITS-1:0] x_steps = {{(STEP_BITS - X_BITS) {1'b0}}, x_inside};
    wire [STEP_BITS-1:0] w_steps = {{(STEP_BITS - W_BITS) {1'b0}}, w_size};
    wire signed [STEP_BITS-1:0] steps = x_steps + w_steps + OFFSET[STEP_BITS-1:0];
    wire signed [STEP_BITS-1:0] exponent = steps >>> (STEPS - 1);
    wire kept = !exponent[STEP_BITS-1] && |x && |w;
    wire [GUARD_BITS+1:0] term = {{(GUARD_BITS + 1) {1'b0}}, kept} << exponent[STEP_BITS-2:0];

    qonnx_two_accumulators #(
        .TERM_BITS(GUARD_BITS + 2), .STEPS(STEPS), .ACC_BITS(ACC_BITS)
    ) accumulators (
        .clk(clk), .enable(enable), .first(first), .is_odd(STEPS == 2 && !steps[0]),
        .negative(kept && (x_negative ^ w_negative)), .term(term), .bias(bias), .even(even), .odd(odd)
    );
endmodule
