// The sum of two tensors: y = saturate(round_shift((a << LEFT_A) + (b << LEFT_B), SHIFT)).
module qonnx_add #(
    parameter A_BITS = 8,
    parameter A_SIGNED = 1,
    parameter B_BITS = 8,
    parameter B_SIGNED = 1,
    parameter LEFT_A = 0,
    parameter LEFT_B = 0,
    parameter signed [6:0] SHIFT = 0,
    parameter ROUNDING = 0,
    parameter OUT_BITS = 8,
    parameter signed [33:0] LOWEST = -34'sd128,
    parameter signed [33:0] HIGHEST = 34'sd127
) (
    input [A_BITS-1:0] a,
    input [B_BITS-1:0] b,
    output [OUT_BITS-1:0] y
);
    localparam SUM = (A_BITS + LEFT_A > B_BITS + LEFT_B ? A_BITS + LEFT_A : B_BITS + LEFT_B) + 2;
    localparam RIGHT = SHIFT > 0 ? SHIFT : 0;
    localparam LEFT = SHIFT < 0 ? -SHIFT : 0;

    wire signed [SUM-1:0] wide_a = {{(SUM - A_BITS) {A_SIGNED ? a[A_BITS-1] : 1'b0}}, a};
    wire signed [SUM-1:0] wide_b = {{(SUM - B_BITS) {B_SIGNED ? b[B_BITS-1] : 1'b0}}, b};
    wire signed [SUM-1:0] sum = (wide_a <<< LEFT_A) + (wide_b <<< LEFT_B);
    qonnx_requantize #(
        .T_BITS(SUM), .MOST_RIGHT(RIGHT), .MOST_LEFT(LEFT), .ROUNDING(ROUNDING), .OUT_BITS(OUT_BITS),
        .LOWEST(LOWEST), .HIGHEST(HIGHEST)
    ) requantize (.t(sum), .shift(SHIFT), .y(y));
endmodule
