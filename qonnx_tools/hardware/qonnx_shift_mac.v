// Shift and accumulate, without a multiplier: w is the code of a log weight, x is in fixed point.
//
// STEPS 1, base 2: even += +-(x << (abs(w) - 1)). STEPS 2, base sqrt 2: an odd abs(w) adds +-(x << abs(w) / 2) to even,
// an even one to odd, which counts 1/sqrt(2) of the first (qonnx_join). A code 0 adds nothing. Sums wrap to ACC_BITS.
module qonnx_shift_mac #(
    parameter X_BITS = 8,
    parameter X_SIGNED = 0,
    parameter W_BITS = 5,
    parameter STEPS = 1,
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
    localparam OPERAND = X_SIGNED && X_BITS > 1 ? X_BITS : X_BITS + 1;
    localparam LARGEST = (1 << (W_BITS - 1)) - 1;
    localparam TERM = OPERAND + (STEPS == 1 ? LARGEST - 1 : LARGEST / 2);

    wire negative = w[W_BITS-1];
    wire [W_BITS-2:0] size = (w[W_BITS-2:0] ^ {(W_BITS - 1) {negative}}) + {{(W_BITS - 2) {1'b0}}, negative};
    wire [X_BITS:0] extended = {X_SIGNED ? x[X_BITS-1] : 1'b0, x};
    wire signed [TERM:0] operand = {{(TERM + 1 - OPERAND) {extended[X_BITS]}}, extended[OPERAND-1:0]};
    wire signed [TERM:0] shifted = STEPS == 1 ? (operand << size) >>> 1 : operand << (size >> 1);
    wire [TERM-1:0] term = shifted[TERM-1:0] & {TERM{|size}};

    qonnx_two_accumulators #(
        .TERM_BITS(TERM), .STEPS(STEPS), .ACC_BITS(ACC_BITS)
    ) accumulators (
        .clk(clk), .enable(enable), .first(first), .is_odd(STEPS == 2 && !size[0] && |size), .negative(negative),
        .term(term), .bias(bias), .even(even), .odd(odd)
    );
endmodule
