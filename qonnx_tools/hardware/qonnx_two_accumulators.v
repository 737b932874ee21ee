// One adder that adds or subtracts a term, for one accumulator or for two of which each term goes to one.
//
// With `first` the even accumulator starts from `bias` and the odd one from 0. STEPS 1 has the even one alone.
module qonnx_two_accumulators #(
    parameter TERM_BITS = 16,
    parameter STEPS = 1,
    parameter ACC_BITS = 24
) (
    input clk,
    input enable,
    input first,
    input is_odd,
    input negative,
    input signed [TERM_BITS-1:0] term,
    input signed [ACC_BITS-1:0] bias,
    output reg signed [ACC_BITS-1:0] even,
    output signed [ACC_BITS-1:0] odd
);
    localparam WIDE = TERM_BITS > ACC_BITS ? TERM_BITS : ACC_BITS;

    wire [TERM_BITS-1:0] flipped = term ^ {TERM_BITS{negative}};  // -term is this and 1 more
    wire [WIDE:0] wide = {{(WIDE + 1 - TERM_BITS) {flipped[TERM_BITS-1]}}, flipped};
    wire [ACC_BITS-1:0] carry = {{(ACC_BITS - 1) {1'b0}}, negative};
    wire [ACC_BITS-1:0] start = first ? bias : even;
    generate
        if (STEPS == 1) begin : one
            assign odd = {ACC_BITS{1'b0}};
            always @(posedge clk) if (enable) even <= start + wide[ACC_BITS-1:0] + carry;
        end else begin : two
            reg [ACC_BITS-1:0] beside;
            wire [ACC_BITS-1:0] other = first ? {ACC_BITS{1'b0}} : beside;
            wire [ACC_BITS-1:0] sum = (is_odd ? other : start) + wide[ACC_BITS-1:0] + carry;
            assign odd = beside;
            always @(posedge clk)
                if (enable) begin
                    even <= is_odd ? start : sum;
                    beside <= is_odd ? sum : other;
                end
        end
    endgenerate
endmodule
